"""A synthetic county: people, officers, visits, a snowstorm and relief, filled in on the real forms and received like what phones send.

No person in it is real: names are drawn, ID numbers carry division 999999, which is not in use.
"""
