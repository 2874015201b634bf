-- Folders whose files are captured while they change, and those files as they were when they were last read.

CREATE TABLE watch(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  path TEXT NOT NULL UNIQUE,
  kind INTEGER NOT NULL CHECK(kind BETWEEN 0 AND 3), -- notes, claude-code, codex, gemini
  project_id INTEGER REFERENCES project(id),
  created_at INTEGER NOT NULL
) STRICT;

-- A file is known by its place on the disk too, so that one that moves is followed. `conversation` is what it became,
-- without a foreign key: where the conversation is gone it was deleted by hand, and stays so.
CREATE TABLE watched_file(
  watch_id INTEGER NOT NULL REFERENCES watch(id) ON DELETE CASCADE,
  path TEXT NOT NULL,         -- below the folder
  device INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  size INTEGER NOT NULL,
  modified INTEGER NOT NULL,  -- nanoseconds, as `changed`
  changed INTEGER NOT NULL,
  conversation BLOB CHECK(length(conversation) = 16),
  problem TEXT,               -- why it is left out
  PRIMARY KEY(watch_id, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX watched_file_by_conversation ON watched_file(conversation) WHERE conversation IS NOT NULL;
