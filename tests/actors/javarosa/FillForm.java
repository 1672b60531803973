import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import org.javarosa.core.model.Constants;
import org.javarosa.core.model.FormDef;
import org.javarosa.core.model.FormIndex;
import org.javarosa.core.model.QuestionDef;
import org.javarosa.core.model.SelectChoice;
import org.javarosa.core.model.ValidateOutcome;
import org.javarosa.core.model.data.IAnswerData;
import org.javarosa.core.model.data.SelectMultiData;
import org.javarosa.core.model.data.SelectOneData;
import org.javarosa.core.model.data.StringData;
import org.javarosa.core.model.data.helper.Selection;
import org.javarosa.core.model.instance.InstanceInitializationFactory;
import org.javarosa.core.model.instance.TreeElement;
import org.javarosa.core.model.instance.TreeReference;
import org.javarosa.core.reference.PrefixedRootFactory;
import org.javarosa.core.reference.Reference;
import org.javarosa.core.reference.ReferenceManager;
import org.javarosa.core.services.IPropertyManager;
import org.javarosa.core.services.PropertyManager;
import org.javarosa.core.services.properties.IPropertyRules;
import org.javarosa.core.util.JavaRosaCoreModule;
import org.javarosa.form.api.FormEntryController;
import org.javarosa.form.api.FormEntryModel;
import org.javarosa.form.api.FormEntryPrompt;
import org.javarosa.model.xform.XFormSerializingVisitor;
import org.javarosa.model.xform.XFormsModule;
import org.javarosa.xform.util.XFormAnswerDataParser;
import org.javarosa.xform.util.XFormUtils;

/**
 * Fills forms as ODK Collect does, with the JavaRosa that ODK Validate carries.
 *
 * Lines in, lines out: words in Base64, separated by tabs. The answer's first word is what happened, not encoded:
 * a status of the command, or "failed" with the exception's sentence.
 */
public class FillForm {
    /** A form being filled in, and the folder of its media. */
    private static final class Sheet {
        private final FormDef form;
        private final FormEntryModel model;
        private final FormEntryController controller;
        private final Path media;
        private final Map<String, FormIndex> found = new HashMap<>();

        private Sheet(FormDef form, Path media) {
            this.form = form;
            this.media = media;
            this.model = new FormEntryModel(form);
            this.controller = new FormEntryController(model);
        }
    }

    /** A file in the folder of the form that is being worked on. */
    private static final class MediaReference implements Reference {
        private final Path path;

        private MediaReference(Path path) {
            this.path = path;
        }

        @Override public boolean doesBinaryExist() { return Files.exists(path); }
        @Override public InputStream getStream() throws java.io.IOException { return Files.newInputStream(path); }
        @Override public String getURI() { return "jr://file/" + path.getFileName(); }
        @Override public String getLocalURI() { return path.toString(); }
        @Override public boolean isReadOnly() { return true; }
        @Override public OutputStream getOutputStream() { throw new UnsupportedOperationException(); }
        @Override public void remove() { throw new UnsupportedOperationException(); }
        @Override public Reference[] probeAlternativeReferences() { return new Reference[0]; }
    }

    /** What the phone says of itself. */
    private static final class Phone implements IPropertyManager {
        @Override public String getSingularProperty(String name) {
            return name.equalsIgnoreCase("deviceid") ? "collect:test-phone"
                : name.equalsIgnoreCase("username") ? "tester" : "";
        }

        @Override public List<String> getProperty(String name) { return List.of(getSingularProperty(name)); }
        @Override public void setProperty(String name, String value) { }
        @Override public void setProperty(String name, List<String> value) { }
        @Override public void addRules(IPropertyRules rules) { }
        @Override public List<IPropertyRules> getRules() { return List.of(); }
    }

    private static Path currentMedia;
    private static final Map<String, Sheet> SHEETS = new HashMap<>();

    public static void main(String[] arguments) throws Exception {
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.setOut(System.err); // libraries that print must not speak between the lines
        prepare();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split("\t", -1);
            for (int i = 1; i < words.length; i++) {
                words[i] = new String(Base64.getDecoder().decode(words[i]), StandardCharsets.UTF_8);
            }
            String[] said;
            try {
                said = obey(words);
            } catch (Throwable problem) {
                said = new String[] {"failed", String.valueOf(problem)};
            }
            StringBuilder out = new StringBuilder(said[0]);
            for (int i = 1; i < said.length; i++) {
                out.append('\t').append(Base64.getEncoder().encodeToString(said[i].getBytes(StandardCharsets.UTF_8)));
            }
            answers.println(out);
        }
    }

    private static void prepare() {
        new JavaRosaCoreModule().registerModule();
        new XFormsModule().registerModule();
        PropertyManager.setPropertyManager(new Phone());
        ReferenceManager.instance().addReferenceFactory(
            new PrefixedRootFactory(new String[] {"file/", "file-csv/", "images/", "audio/", "video/"}) {
                @Override protected Reference factory(String terminal, String uri) {
                    return new MediaReference(currentMedia.resolve(uri.substring(uri.lastIndexOf('/') + 1)));
                }
            });
    }

    private static String[] obey(String[] words) throws Exception {
        if (words[0].equals("open")) {
            return open(words[1], Path.of(words[2]), Path.of(words[3]));
        }
        Sheet sheet = SHEETS.get(words[1]);
        currentMedia = sheet.media;
        switch (words[0]) {
            case "answer": return answer(sheet, words[2], words[3]);
            case "value": return value(sheet, words[2]);
            case "relevant": return new String[] {String.valueOf(element(sheet, words[2]).isRelevant())};
            case "choices": return choices(sheet, words[2]);
            case "repeat": return repeat(sheet, words[2]);
            case "finalise": return finalise(sheet);
            case "close": SHEETS.remove(words[1]); return new String[] {"ok"};
            default: throw new IllegalArgumentException(words[0]);
        }
    }

    private static String[] open(String key, Path xform, Path media) throws Exception {
        long started = System.nanoTime();
        currentMedia = media;
        FormDef form = XFormUtils.getFormFromInputStream(
            new ByteArrayInputStream(Files.readAllBytes(xform)), Files.exists(media.resolve("last-saved")) ? "jr://file/last-saved" : null);
        form.initialize(true, new InstanceInitializationFactory());
        SHEETS.put(key, new Sheet(form, media));
        return new String[] {"ok", String.valueOf((System.nanoTime() - started) / 1_000_000)};
    }

    /** The index of what stands at the reference, found by swiping from the beginning as an officer does; or null. */
    private static FormIndex walkTo(Sheet sheet, TreeReference wanted, int event, boolean generic) {
        sheet.controller.jumpToIndex(FormIndex.createBeginningOfFormIndex());
        int at = sheet.controller.stepToNextEvent();
        while (at != FormEntryController.EVENT_END_OF_FORM) {
            FormIndex index = sheet.model.getFormIndex();
            if (at == event && same(index.getReference(), wanted, generic)) {
                return index;
            }
            at = sheet.controller.stepToNextEvent();
        }
        return null;
    }

    /** The question's index, or null where it is not shown; one that was found before is not walked to again. */
    private static FormIndex question(Sheet sheet, String path) {
        FormIndex known = sheet.found.get(path);
        if (known != null && sheet.form.getMainInstance().resolveReference(known.getReference()) != null && sheet.model.isIndexRelevant(known)) {
            return known;
        }
        FormIndex index = walkTo(sheet, reference(sheet, path), FormEntryController.EVENT_QUESTION, false);
        if (index != null) {
            sheet.found.put(path, index);
        }
        return index;
    }

    private static boolean same(TreeReference found, TreeReference wanted, boolean lastMayDiffer) {
        if (found.size() != wanted.size()) {
            return false;
        }
        for (int i = 0; i < found.size(); i++) {
            boolean sameInstance = Math.max(found.getMultiplicity(i), 0) == Math.max(wanted.getMultiplicity(i), 0);
            boolean counts = !(lastMayDiffer && i == found.size() - 1);
            if (!found.getName(i).equals(wanted.getName(i)) || counts && !sameInstance) {
                return false;
            }
        }
        return true;
    }

    private static String[] answer(Sheet sheet, String path, String value) {
        FormIndex index = question(sheet, path);
        if (index == null) {
            element(sheet, path); // a path that is no question at all is the test's mistake
            return new String[] {"irrelevant", ""};
        }
        FormEntryPrompt prompt = sheet.model.getQuestionPrompt(index);
        if (prompt.isReadOnly()) {
            return new String[] {"readonly", ""};
        }
        IAnswerData data;
        try {
            data = value.isEmpty() ? null : data(prompt, value);
        } catch (RuntimeException wrong) {
            return new String[] {"invalid", String.valueOf(wrong.getMessage())};
        }
        if (data == null && !value.isEmpty()) {
            return new String[] {prompt.getSelectChoices() == null ? "invalid" : "no_choice", value};
        }
        int outcome = sheet.controller.answerQuestion(index, data, true);
        switch (outcome) {
            case FormEntryController.ANSWER_OK: return new String[] {"ok", ""};
            case FormEntryController.ANSWER_REQUIRED_BUT_EMPTY: return new String[] {"required", ""};
            default: return new String[] {"constraint", String.valueOf(prompt.getConstraintText())};
        }
    }

    private static IAnswerData data(FormEntryPrompt prompt, String value) {
        int control = prompt.getControlType();
        if (control == Constants.CONTROL_SELECT_ONE) {
            Selection chosen = selection(prompt, value);
            return chosen == null ? null : new SelectOneData(chosen);
        }
        if (control == Constants.CONTROL_SELECT_MULTI) {
            List<Selection> chosen = new ArrayList<>();
            for (String one : value.split(" ")) {
                Selection found = selection(prompt, one);
                if (found == null) {
                    return null;
                }
                chosen.add(found);
            }
            return new SelectMultiData(chosen);
        }
        if (prompt.getDataType() == Constants.DATATYPE_BINARY) {
            return new StringData(value);
        }
        QuestionDef question = prompt.getQuestion();
        return XFormAnswerDataParser.getAnswerData(value, prompt.getDataType(), question);
    }

    private static Selection selection(FormEntryPrompt prompt, String value) {
        for (SelectChoice choice : prompt.getSelectChoices()) {
            if (choice.getValue().equals(value)) {
                return choice.selection();
            }
        }
        return null;
    }

    private static String[] choices(Sheet sheet, String path) {
        FormIndex index = question(sheet, path);
        List<String> said = new ArrayList<>(List.of("ok"));
        if (index != null) {
            FormEntryPrompt prompt = sheet.model.getQuestionPrompt(index);
            for (SelectChoice choice : prompt.getSelectChoices()) {
                said.add(choice.getValue());
            }
        }
        return said.toArray(new String[0]);
    }

    private static String[] repeat(Sheet sheet, String path) {
        FormIndex index = walkTo(sheet, reference(sheet, path), FormEntryController.EVENT_PROMPT_NEW_REPEAT, true);
        if (index == null) {
            return new String[] {"irrelevant"};
        }
        sheet.controller.newRepeat(index);
        return new String[] {"ok"};
    }

    private static String[] value(Sheet sheet, String path) {
        IAnswerData data = element(sheet, path).getValue();
        return new String[] {"ok", data == null ? "" : data.uncast().getString()};
    }

    /** The reference of "members[2]/name", with or without the root before it; [1] where nothing is said. */
    private static TreeReference reference(Sheet sheet, String path) {
        TreeElement root = sheet.form.getMainInstance().getRoot();
        String below = path.startsWith("/") ? path.substring(1 + root.getName().length() + 1) : path;
        TreeReference reference = TreeReference.rootRef();
        reference.add(root.getName(), 0);
        for (String step : below.split("/")) {
            int bracket = step.indexOf('[');
            if (step.startsWith("@")) {
                reference.add(step.substring(1), TreeReference.INDEX_ATTRIBUTE);
            } else if (bracket < 0) {
                reference.add(step, 0);
            } else {
                int number = Integer.parseInt(step.substring(bracket + 1, step.length() - 1));
                reference.add(step.substring(0, bracket), number - 1);
            }
        }
        return reference;
    }

    private static TreeElement element(Sheet sheet, String path) {
        TreeElement found = sheet.form.getMainInstance().resolveReference(reference(sheet, path));
        if (found == null) {
            throw new IllegalArgumentException("nothing at " + path);
        }
        return found;
    }

    private static String[] finalise(Sheet sheet) throws Exception {
        // Swipe to the end first: that is when counted repeats are made.
        walkTo(sheet, TreeReference.rootRef(), -1, false);
        ValidateOutcome refused = sheet.form.validate(true);
        if (refused != null) {
            FormEntryPrompt prompt = sheet.model.getQuestionPrompt(refused.failedPrompt);
            boolean empty = refused.outcome == FormEntryController.ANSWER_REQUIRED_BUT_EMPTY;
            return new String[] {empty ? "required" : "constraint", refused.failedPrompt.getReference().toString(true),
                String.valueOf(empty ? "" : prompt.getConstraintText())};
        }
        sheet.controller.finalizeFormEntry();
        byte[] instance = new XFormSerializingVisitor().serializeInstance(sheet.form.getMainInstance());
        return new String[] {"ok", new String(instance, StandardCharsets.UTF_8)};
    }
}
