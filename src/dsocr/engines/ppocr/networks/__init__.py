"""The neural networks: each module loads one model and turns its outputs into plain values.

The model files are package data (`../models`, with their notices and hashes), and what follows a
network (box contours, character sequences, box distances, the table decoder) is code of this
package. The libraries that offer it (rapidocr, rapid-layout, rapid-table) download models when they
are first used, install log handlers, and bring onnxruntime and the OpenCV build with a display; a
server without network access must start, and no address may be looked up.
"""
