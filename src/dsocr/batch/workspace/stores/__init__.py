"""Where a workspace keeps its objects: a local folder or a bucket."""
