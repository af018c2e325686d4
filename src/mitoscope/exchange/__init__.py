"""The files of the field, one module a format, reading and writing side by side.

``registry`` knows the formats by name and by content; every annotation format reads into and writes from a
:class:`~mitoscope.store.Study`, those of detections from :class:`~mitoscope.detections.Detections`.
"""
