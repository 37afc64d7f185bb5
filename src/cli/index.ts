/**
 * The commands for people: what they do at three in the morning, without touching what Git declares.
 *
 * `runCommand` takes the words of the command line and a way to reach the cluster, says in one line what was done and until when, and returns
 * the exit code: 0 done, 1 failed, 2 called wrongly, above that how a run ended that was waited for. It writes overrides (`spec.override`) and
 * runs (TaskExecutions, and their `desiredState`) only, as field manager `taskmill-cli`, in the name of the user that the API server knows,
 * with that user's rights. It reads no environment and opens no connection itself.
 */
export type { Cluster, CommandDeps } from './command.ts'
export { commandNames, commandSummaries, runCommand } from './commands.ts'
