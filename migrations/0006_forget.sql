-- The trash, and forgetting for good.

-- What was deleted and can still be brought back. Its records lie in trash_record as JSON, apart from every table
-- that is listed, searched, recalled or exported, so that no query has to leave it out.
CREATE TABLE trash(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  uid BLOB NOT NULL UNIQUE CHECK(length(uid) = 16),
  kind INTEGER NOT NULL CHECK(kind BETWEEN 0 AND 2), -- conversation, message, memory
  item BLOB NOT NULL CHECK(length(item) = 16),       -- the id of what lies in it
  conversation BLOB CHECK(length(conversation) = 16), -- a message's
  title TEXT,                                        -- what people know it by
  project TEXT,
  client TEXT,
  messages INTEGER NOT NULL DEFAULT 0,
  whole INTEGER NOT NULL DEFAULT 1 CHECK(whole IN (0, 1)), -- 0: the rest of the conversation is still to come
  was_head INTEGER NOT NULL DEFAULT 0 CHECK(was_head IN (0, 1)),
  deleted_at INTEGER NOT NULL
) STRICT;
CREATE INDEX trash_by_time ON trash(deleted_at, id);
CREATE INDEX trash_by_item ON trash(item);
CREATE INDEX trash_by_conversation ON trash(conversation) WHERE conversation IS NOT NULL;
CREATE INDEX trash_unfinished ON trash(id) WHERE whole = 0;

-- Place 0 is a conversation or a memory, the others are messages, at their places in the conversation.
CREATE TABLE trash_record(
  trash_id INTEGER NOT NULL REFERENCES trash(id) ON DELETE CASCADE,
  place INTEGER NOT NULL,
  uid BLOB NOT NULL CHECK(length(uid) = 16),
  record TEXT NOT NULL CHECK(json_valid(record)),
  PRIMARY KEY(trash_id, place)
) STRICT;
CREATE INDEX trash_record_by_uid ON trash_record(uid);

-- The messages that answered a deleted message, so that they can answer it again.
CREATE TABLE trash_child(
  trash_id INTEGER NOT NULL REFERENCES trash(id) ON DELETE CASCADE,
  uid BLOB NOT NULL CHECK(length(uid) = 16),
  PRIMARY KEY(trash_id, uid)
) STRICT, WITHOUT ROWID;

-- One request to forget. What is to go stands here until the rows are gone, the receipt holds numbers only.
CREATE TABLE erasure(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  uid BLOB NOT NULL UNIQUE CHECK(length(uid) = 16),
  requested_at INTEGER NOT NULL,
  finished INTEGER NOT NULL DEFAULT 0 CHECK(finished IN (0, 1)),
  target TEXT CHECK(target IS NULL OR json_valid(target)),
  receipt TEXT NOT NULL CHECK(json_valid(receipt))
) STRICT;
CREATE INDEX erasure_unfinished ON erasure(id) WHERE finished = 0;

-- The ids of what went, until everything that quotes it has been found.
CREATE TABLE erased_item(
  erasure_id INTEGER NOT NULL REFERENCES erasure(id) ON DELETE CASCADE,
  uid BLOB NOT NULL CHECK(length(uid) = 16),
  PRIMARY KEY(erasure_id, uid)
) STRICT, WITHOUT ROWID;

-- Answers keep what they were made from.
CREATE INDEX message_with_sources ON message(id) WHERE sources IS NOT NULL;

-- What is forgotten may live on in a copy.
CREATE INDEX conversation_copied ON conversation(copied_conversation) WHERE copied_conversation IS NOT NULL;
