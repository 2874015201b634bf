-- Whether somebody of a name has said anything, for questions that name people. Released migrations never change.
CREATE INDEX message_by_author ON message(author COLLATE NOCASE) WHERE author IS NOT NULL;
