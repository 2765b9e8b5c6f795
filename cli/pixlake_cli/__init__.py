"""The `pixlake` command and the laptop engine. It imports the runtime package `pixlake`, never the reverse."""
