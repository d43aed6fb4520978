"""Floor of a report: the questions that it asks of the ledger, in a bare script.

python report.py LEDGER QUESTIONS     (a file with [[SQL, parameters], …])
"""

import json
import sys

import duckdb

with open(sys.argv[2], encoding="utf-8") as file:
    questions = json.load(file)
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    answers = [connection.execute(sql, parameters).fetchall() for sql, parameters in questions]
for rows in answers:
    for row in rows:
        print(*row, sep="\t")
