"""Records matched with images, and cut into batches. Imports `tables`, `bundles` and the shared modules.

Reading (`extracted`) and writing (`outputs`) are apart from the decisions, which touch nothing outside: columns
(`profiles`, `kinds`, `columns`, `keyed`, `choices`), images (`names`, `loosely`, `references`, `fits`), rows
(`records`, `repeats`), what comes of them (`join`, `advice`), and batches (`cutting`; `retried` for those of an earlier
execution).

What is decided here, where the data leaves a choice:

- Of rows with one id the first stays, in the order of the files (most columns first, then by name) and of their rows;
  the others are rejects, but for those that name further images and say nothing else.
- An empty cell of a CSV is null. Spaces around an id or a column's name are dropped, nothing else is changed.
- Tables of several files, of one kind or of several, are one table with the columns of all. A file without the id
  column is one reject, for its rows name no record.
- A whole number is written without `.0`, a time as ISO 8601, what is nested as JSON.
- A column that names images is used without being told where it finds as many images as their own names do.
- An image that several records name by the image column is that of the first row's; the others are without it.
- Where only the classifier `without_image` is named, records with images are predicted by it too, from the table alone.
"""
