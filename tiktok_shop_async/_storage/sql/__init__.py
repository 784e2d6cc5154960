"""What all that is kept in a SQL database has in common."""
