"""Bulk: a file of many texts in, a file with an answer a row out; resumable, here or on Ray.

    input file -> chunks of rows -> workers -> parts, journaled as they are done -> output file

`job.py` says what is asked, `chunk.py` what travels; the rest follows the arrows above.
"""
