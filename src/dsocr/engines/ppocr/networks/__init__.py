"""The neural networks: each module loads one model and turns its outputs into plain values.

What follows a network (box contours, character sequences, box distances, the table decoder) is
code of this package. The libraries that offer it (the `rapidocr` package among them) download
models when they are first used, install log handlers, and bring onnxruntime and the OpenCV build
with a display; a server without network access must start, and no address may be looked up. So the
`rapidocr` wheel serves as the carrier of its model files alone and its code is never imported.
"""
