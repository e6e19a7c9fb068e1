"""What the machine has: threads, processors, files."""
