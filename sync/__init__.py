"""Submissions -> central database: one typed table per form and per repeat. No Flask."""
