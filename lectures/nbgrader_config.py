"""nbgrader for this course: `make nbgrader` copies this file into a course folder of its own (see lectures/TEACHING.md)."""
c = get_config()   # noqa: F821  (nbgrader defines it)

c.CourseDirectory.course_id = "cards"
c.ClearSolutions.code_stub = {"python": "...   # your answer"}   # as in lectures/exercises: valid Python that says nothing
c.ExecutePreprocessor.timeout = 300                               # seconds a cell, on a busy machine
c.ExecutePreprocessor.kernel_name = "python3"
c.ClearHiddenTests.enabled = False                                # there are none: what grades is what a student runs
c.ClearMarkScheme.enabled = False
