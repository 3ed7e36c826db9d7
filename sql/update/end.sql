
/*
 * update/end.sql
 *	  How each of ALTER EXTENSION UPDATE's scripts ends.
 */

SELECT burrow._outside_script(CASE WHEN given THEN to_grant ELSE to_revoke END) FROM burrow._privilege;
DROP TABLE burrow._privilege;
DROP FUNCTION burrow._outside_script(text);
