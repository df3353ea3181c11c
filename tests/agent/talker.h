/* tests/agent/talker.h - a small random checkpoint that can talk. */
#ifndef DH_TESTS_AGENT_TALKER_H
#define DH_TESTS_AGENT_TALKER_H

/*
 * Write a checkpoint with the tokenizer of the text tests and `profile` as its
 * deskhand.json into `dir`, which exists. It writes nonsense, but within the
 * grammar. Ends the test on failure.
 */
void talker_write(const char *dir, const char *profile);

#endif
