"""Child processes: started, limited, supervised, restarted. Knows nothing of what they compute."""
