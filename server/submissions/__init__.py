"""Submissions: received, edited, reviewed, commented on, put in the trash."""
