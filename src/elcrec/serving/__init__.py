"""The server.

A request for recommendations goes through ``api/recommend`` (checks, response), ``engine`` (queues), ``micro_batcher``
(batches), ``pending`` (histories, fallbacks) and ``elcrec.inference.lookup`` (ranking). ``middleware/`` stands before
all endpoints, ``store/`` holds the events.
"""
