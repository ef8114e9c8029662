"""Lines from a PDF page's text layer: their maps, gaps and agreement with the picture."""
