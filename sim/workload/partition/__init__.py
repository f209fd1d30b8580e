"""The form of a trace that is larger than memory: a folder of Parquet files, calls by function, then by arrival.

============================== =========================================================================
``trace.json``                 format and its version, horizon, calls, layout, digests, origin (`about`)
``functions.parquet``          a row a function, the columns of `sim.workload.functions`
``calls_per_function.parquet`` a row a function: calls int64
``invocations/``               ``part-00000.parquet`` and so on, a row a call: function int32, arrival_s and duration_s
                               float64, ascending by function, then by arrival; and tie int32 where `Layout` needs it
============================== =========================================================================

Which rows are whose follows from the calls per function, and where a row lies from the layout: all row groups and all
files but the last hold equally many. `sim.workload.partitioned` reads it.
"""
