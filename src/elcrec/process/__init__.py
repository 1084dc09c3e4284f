"""What this process has one of: its threads, the progress it shows, the wording of its messages."""
