"""Files of county staff (XLSX, CSV) into entity lists: read, mapped, checked, done in chunks, undone as a whole."""
