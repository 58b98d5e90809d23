"""Everything about Faust: the order of reading, deciding, confirming and acknowledging, and its repairs.

Above this package are pure functions and declarations (`stage`), run by a `worker.Worker`.
"""
