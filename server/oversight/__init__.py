"""What the county owes and is owed: duties to visit, disasters' clocks, cumulative figures. Computed from the central database.

Who is to be visited, and since when, is read from the form server's own register by a second session: the register's history is there
with its index, whole and of this instant, while the log names entities that come by the thousand only as a number; and people's data
need not lie in one more database.
"""
