-- Conversations in order: folders, tags, pins, an archive, private ones, copies, and how to find them again.

-- Folders are named by their whole path ("Work/Clients"), so that what lies below one is a range of the index.
CREATE TABLE folder(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  path TEXT NOT NULL UNIQUE
) STRICT;

-- `key` is the name in lower case: two tags that differ in case only are one.
CREATE TABLE tag(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  key TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  conversations INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE conversation_tag(
  conversation_id INTEGER NOT NULL REFERENCES conversation(id) ON DELETE CASCADE,
  tag_id INTEGER NOT NULL REFERENCES tag(id) ON DELETE CASCADE,
  PRIMARY KEY(conversation_id, tag_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX conversation_tag_by_tag ON conversation_tag(tag_id, conversation_id);
CREATE TRIGGER conversation_tagged AFTER INSERT ON conversation_tag BEGIN
  UPDATE tag SET conversations = conversations + 1 WHERE id = new.tag_id;
END;
-- a tag that no conversation has is gone
CREATE TRIGGER conversation_untagged AFTER DELETE ON conversation_tag BEGIN
  UPDATE tag SET conversations = conversations - 1 WHERE id = old.tag_id;
  DELETE FROM tag WHERE id = old.tag_id AND conversations < 1;
END;

ALTER TABLE conversation ADD COLUMN folder_id INTEGER REFERENCES folder(id);
ALTER TABLE conversation ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0 CHECK(pinned IN (0, 1));
ALTER TABLE conversation ADD COLUMN archived INTEGER NOT NULL DEFAULT 0 CHECK(archived IN (0, 1));
-- found and recalled from within itself only
ALTER TABLE conversation ADD COLUMN private INTEGER NOT NULL DEFAULT 0 CHECK(private IN (0, 1));
-- what it is a copy of, which may be gone
ALTER TABLE conversation ADD COLUMN copied_conversation BLOB CHECK(length(copied_conversation) = 16);
ALTER TABLE conversation ADD COLUMN copied_message BLOB CHECK(length(copied_message) = 16);

DROP INDEX conversation_by_update;
DROP INDEX conversation_by_project;
CREATE INDEX conversation_by_update ON conversation(archived, updated_at, id);
CREATE INDEX conversation_by_project ON conversation(project_id, archived, updated_at, id);
CREATE INDEX conversation_by_folder ON conversation(folder_id) WHERE folder_id IS NOT NULL;
CREATE INDEX conversation_by_client ON conversation(client_id) WHERE client_id IS NOT NULL;
CREATE INDEX conversation_pinned ON conversation(id) WHERE pinned = 1;
CREATE INDEX conversation_private ON conversation(id) WHERE private = 1;

-- messages that answer none
CREATE INDEX message_roots ON message(conversation_id) WHERE parent_id IS NULL;
CREATE INDEX message_by_time ON message(created_at);

-- Titles by their words, and by the beginnings of these.
CREATE VIRTUAL TABLE titles USING fts5(title, content='conversation', content_rowid='id',
  tokenize="unicode61 remove_diacritics 2", prefix='2 3');
INSERT INTO titles(rowid, title) SELECT id, title FROM conversation WHERE title IS NOT NULL;
CREATE TRIGGER conversation_titled AFTER INSERT ON conversation WHEN new.title IS NOT NULL BEGIN
  INSERT INTO titles(rowid, title) VALUES(new.id, new.title);
END;
CREATE TRIGGER conversation_untitled AFTER DELETE ON conversation WHEN old.title IS NOT NULL BEGIN
  INSERT INTO titles(titles, rowid, title) VALUES('delete', old.id, old.title);
  UPDATE store SET deleted_texts = deleted_texts + 1 WHERE id = 1;
END;
CREATE TRIGGER conversation_retitled AFTER UPDATE OF title ON conversation WHEN old.title IS NOT new.title BEGIN
  INSERT INTO titles(titles, rowid, title)
    SELECT 'delete', old.id, old.title WHERE old.title IS NOT NULL;
  INSERT INTO titles(rowid, title) SELECT new.id, new.title WHERE new.title IS NOT NULL;
  UPDATE store SET deleted_texts = deleted_texts + 1 WHERE id = 1;
END;
