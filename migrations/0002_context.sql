-- What is embedded of a chunk begins to depend on what stands before it (src/store/context.rs), so a change there
-- queues the chunk again.

-- A chunk that is written again, be it with the same values, is embedded again. Its old vector stays in the index
-- until the new one takes its place: the job counts as touched, so that it leaves the index if the chunk goes first.
-- A lease ends, and a late completion changes nothing.
CREATE TRIGGER chunk_written_again AFTER UPDATE ON chunk BEGIN
  UPDATE embed_job SET state = 0, attempts = 0, lease = NULL, last_error = NULL,
      run_at = CAST(unixepoch('subsec') * 1000 AS INTEGER)
    WHERE space_id IN (SELECT id FROM embed_space WHERE state < 2) AND chunk_id = new.id AND kind = 0;
  INSERT INTO embed_job(space_id, kind, chunk_id, touched, run_at)
    SELECT space_id, 0, chunk_id, 1, CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM chunk_vector
    WHERE space_id IN (SELECT id FROM embed_space WHERE state < 2) AND chunk_id = new.id;
  DELETE FROM chunk_vector WHERE space_id IN (SELECT id FROM embed_space) AND chunk_id = new.id;
END;

-- Appending needs none of this: nothing follows the last message. Restoring may put one between others.
CREATE TRIGGER message_inserted_before AFTER INSERT ON message BEGIN
  UPDATE chunk SET place = place WHERE view = 0 AND place = 0 AND message_id = (SELECT id FROM message
    WHERE conversation_id = new.conversation_id AND seq > new.seq ORDER BY seq LIMIT 1);
END;
CREATE TRIGGER message_deleted_before AFTER DELETE ON message BEGIN
  UPDATE chunk SET place = place WHERE view = 0 AND place = 0 AND message_id = (SELECT id FROM message
    WHERE conversation_id = old.conversation_id AND seq > old.seq ORDER BY seq LIMIT 1);
END;
CREATE TRIGGER message_changed_before AFTER UPDATE OF content, author ON message
  WHEN old.content IS NOT new.content OR old.author IS NOT new.author BEGIN
  UPDATE chunk SET place = place WHERE view = 0 AND place = 0 AND message_id = (SELECT id FROM message
    WHERE conversation_id = new.conversation_id AND seq > new.seq ORDER BY seq LIMIT 1);
END;
-- The name stands before every chunk of its message.
CREATE TRIGGER message_author_changed AFTER UPDATE OF author ON message WHEN old.author IS NOT new.author BEGIN
  UPDATE chunk SET place = place WHERE message_id = new.id;
END;
-- The title stands before the first message.
CREATE TRIGGER conversation_title_changed AFTER UPDATE OF title ON conversation WHEN old.title IS NOT new.title BEGIN
  UPDATE chunk SET place = place WHERE view = 0 AND place = 0 AND message_id = (SELECT id FROM message
    WHERE conversation_id = new.id ORDER BY seq LIMIT 1);
END;
