-- Memories get a place, a pin and a past; what a model proposes waits for the person; long conversations get
-- summaries beside their messages.

ALTER TABLE memory ADD COLUMN path TEXT CHECK(path <> '');
ALTER TABLE memory ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0 CHECK(pinned IN (0, 1));
CREATE INDEX memory_by_path ON memory(path) WHERE superseded_by IS NULL AND path IS NOT NULL;
-- What was replaced names what stands in its place now, however often that was replaced since.
CREATE INDEX memory_by_successor ON memory(superseded_by) WHERE superseded_by IS NOT NULL;
-- What goes into every prompt; the query repeats the condition word for word.
CREATE INDEX memory_standing ON memory(updated_at, id)
  WHERE superseded_by IS NULL AND (pinned = 1 OR kind IN ('instruction', 'preference', 'user'));
-- The past of a memory is forgotten with it.
CREATE TRIGGER memory_past_deleted AFTER DELETE ON memory BEGIN
  DELETE FROM memory WHERE superseded_by = old.uid;
END;

CREATE TABLE memory_proposal(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  uid BLOB NOT NULL UNIQUE CHECK(length(uid) = 16),
  source_message_id INTEGER NOT NULL REFERENCES message(id) ON DELETE CASCADE,
  project_id INTEGER REFERENCES project(id),
  kind TEXT NOT NULL,
  path TEXT,
  similar_to BLOB CHECK(length(similar_to) = 16), -- a memory that says nearly the same
  model TEXT NOT NULL,
  state INTEGER NOT NULL DEFAULT 0 CHECK(state BETWEEN 0 AND 2), -- waiting, accepted, rejected
  memory BLOB CHECK(length(memory) = 16), -- what it became
  created_at INTEGER NOT NULL,
  digest BLOB NOT NULL,                   -- of its words: what was decided once is not proposed again
  content TEXT NOT NULL                   -- empty once it was decided
) STRICT;
CREATE INDEX memory_proposal_waiting ON memory_proposal(id) WHERE state = 0;
CREATE INDEX memory_proposal_by_digest ON memory_proposal(digest);
CREATE INDEX memory_proposal_by_source ON memory_proposal(source_message_id);

-- Conversations whose newest turns are to be read for memories, and how far they were read.
CREATE TABLE extraction(
  conversation_id INTEGER PRIMARY KEY REFERENCES conversation(id) ON DELETE CASCADE,
  read_seq INTEGER NOT NULL DEFAULT 0,
  wanted INTEGER NOT NULL DEFAULT 1 CHECK(wanted IN (0, 1))
) STRICT;
CREATE INDEX extraction_wanted ON extraction(conversation_id) WHERE wanted = 1;

-- Tokens that the extraction cost, by day (UTC, counted from 1970).
CREATE TABLE extraction_cost(
  day INTEGER PRIMARY KEY,
  tokens INTEGER NOT NULL
) STRICT;

-- What a part of a branch says in few words. A summary goes on from the one before it.
CREATE TABLE summary(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  uid BLOB NOT NULL UNIQUE CHECK(length(uid) = 16),
  conversation_id INTEGER NOT NULL REFERENCES conversation(id) ON DELETE CASCADE,
  previous_id INTEGER REFERENCES summary(id) ON DELETE CASCADE,
  last_message_id INTEGER NOT NULL, -- the newest that it covers
  messages INTEGER NOT NULL,        -- how many it covers, with those before it
  model TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  content TEXT NOT NULL
) STRICT;
CREATE INDEX summary_by_conversation ON summary(conversation_id, id);
CREATE INDEX summary_by_previous ON summary(previous_id) WHERE previous_id IS NOT NULL;
CREATE INDEX summary_by_last_message ON summary(last_message_id);
CREATE TABLE summary_message(
  message_id INTEGER NOT NULL,
  summary_id INTEGER NOT NULL REFERENCES summary(id) ON DELETE CASCADE,
  PRIMARY KEY(message_id, summary_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX summary_message_by_summary ON summary_message(summary_id);
-- A summary of what was changed or deleted says what nobody said; those that go on from it go with it.
CREATE TRIGGER summary_of_changed_message AFTER UPDATE OF content ON message BEGIN
  DELETE FROM summary WHERE id IN (SELECT summary_id FROM summary_message WHERE message_id = old.id);
END;
CREATE TRIGGER summary_of_deleted_message AFTER DELETE ON message BEGIN
  DELETE FROM summary WHERE id IN (SELECT summary_id FROM summary_message WHERE message_id = old.id);
END;
