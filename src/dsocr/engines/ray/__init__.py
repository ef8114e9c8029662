"""The engine `ray`: replicas of another engine as a Ray Serve deployment."""
