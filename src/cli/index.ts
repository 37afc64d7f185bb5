/**
 * The commands for users: what they do in an incident, without a change of the manifests in Git.
 *
 * `runCommand` gets the arguments and a way to reach the cluster. It prints in one line what was done and until when,
 * and returns the exit code: 0 done, 1 failed, 2 wrong usage, higher ones say how an awaited run ended. It writes only
 * overrides (`spec.override`) and runs (TaskExecutions and their `desiredState`), as field manager `taskmill-cli`, with
 * the permissions of the user whom the API server knows. It reads no environment and opens no connection itself.
 */
export type { Cluster, CommandDeps, WrittenSchedules } from './command.ts'
export { commandNames, commandSummaries, runCommand } from './commands.ts'
