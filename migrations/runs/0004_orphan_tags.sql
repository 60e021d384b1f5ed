-- Format 4: a tag goes when the last variable that had it loses it.

CREATE TRIGGER IF NOT EXISTS delete_orphan_tags_after_variable_tag_delete
AFTER DELETE ON variable_tags
FOR EACH ROW
BEGIN
    DELETE FROM tags
    WHERE id = OLD.tag_id
      AND id NOT IN (SELECT tag_id FROM variable_tags);
END;
