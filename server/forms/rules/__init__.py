"""A form's own rules, evaluated on the server as ODK's JavaRosa evaluates them on the phone.

expression.py reads XPath; functions.py are the XForms functions; instance.py is a submission laid over its form's template;
check.py says which question broke which rule. What depends on the phone's own files cannot be judged here and is left out.
"""
