"""What follows from annotation files alone: exact tables, computed in full in seconds."""
