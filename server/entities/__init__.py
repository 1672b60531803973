"""Entity lists and their entities: declared by forms, changed by submissions, downloaded by phones as CSV."""
