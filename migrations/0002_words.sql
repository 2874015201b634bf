-- One full text of messages and memories together, by stems. Released migrations never change.
--
-- The program analyses the texts (src/text) and gives them to the triggers by SQL functions, so only its own
-- connections can write messages and memories:
--   nosso_address(conversation, seq, text)  the rowid: (conversation << 29) | (seq << 5) | length class
--   nosso_stems(text), nosso_others(text)   the terms of the two columns
-- A rowid tells whose text it is, where it stands and how long it is. Memories are conversation 0 with their id for a
-- seq. The table keeps no texts: a delete gives it the old terms again, which the functions make from the old text.
-- So they must be made by the same analysis: `store.analysis` is the version that made them (0: none did), and the
-- program fills the table anew at its start where that is not its own. A message of an older database in a place that
-- no address has (above 16777215) is not found by words; new ones are refused.

DROP TRIGGER message_inserted;
DROP TRIGGER message_deleted;
DROP TRIGGER message_changed;
DROP TRIGGER memory_inserted;
DROP TRIGGER memory_deleted;
DROP TRIGGER memory_changed;
DROP TABLE message_fts;
DROP TABLE memory_fts;
DROP VIEW searched_message;

ALTER TABLE store ADD COLUMN analysis INTEGER NOT NULL DEFAULT 0;

-- `ascii` takes every character beyond ASCII for a letter, so that the terms come through as they are.
CREATE VIRTUAL TABLE words USING fts5(stems, others, content='', columnsize=0, tokenize='ascii');
-- Every place of every term: (term, doc, col, offset). Here, because a connection that only reads cannot make it.
CREATE VIRTUAL TABLE posting USING fts5vocab(words, instance);

CREATE TRIGGER message_inserted AFTER INSERT ON message BEGIN
  INSERT INTO words(rowid, stems, others)
    SELECT nosso_address(new.conversation_id, new.seq, new.content), nosso_stems(new.content),
      nosso_others(new.content) WHERE new.searchable = 1;
  UPDATE store SET messages = messages + 1 WHERE id = 1;
END;
CREATE TRIGGER message_deleted AFTER DELETE ON message BEGIN
  INSERT INTO words(words, rowid, stems, others)
    SELECT 'delete', nosso_address(old.conversation_id, old.seq, old.content), nosso_stems(old.content),
      nosso_others(old.content) WHERE old.searchable = 1 AND old.seq <= 16777215;
  UPDATE store SET messages = messages - 1, deleted_texts = deleted_texts + 1 WHERE id = 1;
END;
CREATE TRIGGER message_changed AFTER UPDATE OF content ON message
    WHEN old.searchable = 1 AND old.seq <= 16777215 BEGIN
  INSERT INTO words(words, rowid, stems, others)
    VALUES('delete', nosso_address(old.conversation_id, old.seq, old.content), nosso_stems(old.content),
      nosso_others(old.content));
  INSERT INTO words(rowid, stems, others)
    VALUES(nosso_address(new.conversation_id, new.seq, new.content), nosso_stems(new.content),
      nosso_others(new.content));
  UPDATE store SET deleted_texts = deleted_texts + 1 WHERE id = 1;
END;

CREATE TRIGGER memory_inserted AFTER INSERT ON memory BEGIN
  INSERT INTO words(rowid, stems, others)
    VALUES(nosso_address(0, new.id, new.content), nosso_stems(new.content), nosso_others(new.content));
  UPDATE store SET memories = memories + 1 WHERE id = 1;
END;
CREATE TRIGGER memory_deleted AFTER DELETE ON memory BEGIN
  INSERT INTO words(words, rowid, stems, others)
    VALUES('delete', nosso_address(0, old.id, old.content), nosso_stems(old.content), nosso_others(old.content));
  UPDATE store SET memories = memories - 1, deleted_texts = deleted_texts + 1 WHERE id = 1;
END;
CREATE TRIGGER memory_changed AFTER UPDATE OF content ON memory BEGIN
  INSERT INTO words(words, rowid, stems, others)
    VALUES('delete', nosso_address(0, old.id, old.content), nosso_stems(old.content), nosso_others(old.content));
  INSERT INTO words(rowid, stems, others)
    VALUES(nosso_address(0, new.id, new.content), nosso_stems(new.content), nosso_others(new.content));
  UPDATE store SET deleted_texts = deleted_texts + 1 WHERE id = 1;
END;
