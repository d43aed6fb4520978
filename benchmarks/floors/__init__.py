"""What each work is held against: the same in a bare script, each run as a process of its own."""
