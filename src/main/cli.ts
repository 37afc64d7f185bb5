#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { suggestName, errorMessage } from '../errors/index.ts'

/** Commands of the program itself. Those that act on a cluster are declared in `src/cli`, one file each. */
const ownCommands = [
  ['operator', 'run the operator (in the cluster; the chart does this)'],
  ['worker --tasks FILE', 'run the tasks of a JavaScript module as a worker of a WorkerPool'],
  ['lint [FILE | FOLDER | -]…', 'check manifests without a cluster'],
  ['import KIND FILE | -', 'write TaskSchedules for CronJobs, Celery beat or BullMQ'],
] as const

async function usage(): Promise<string> {
  const { commandSummaries } = await import('../cli/index.ts')
  const rows = [...ownCommands, ...commandSummaries, ['--version', 'print the version'] as const]
  const width = Math.max(...rows.map(([call]) => call.length)) + 2
  const lines = rows.map(([call, summary]) => `  ${call.padEnd(width)}${summary}`)
  return `taskmill <command>\n\n${lines.join('\n')}\n\nEvery command except operator and worker explains itself with --help.\n`
}

/** Returns the exit code of a command: 0 done, 1 failed, 2 wrong usage. A command loads only what it needs. */
async function main(argv: readonly string[], stop: AbortSignal): Promise<number> {
  const [command, ...rest] = argv
  switch (command) {
    case 'operator': {
      const { runOperator } = await import('./operator.ts')
      await runOperator({ env: process.env, stop, version: version() })
      return 0
    }
    case 'worker': {
      const { workerMain } = await import('./worker.ts')
      return workerMain({ argv: rest, env: process.env, stop })
    }
    case 'lint': {
      const { lintMain } = await import('./lint.ts')
      const { stdout, env } = process
      return lintMain({ argv: rest, write: writers(), isColoured: stdout.isTTY && (env['NO_COLOR'] ?? '') === '', nowMs: Date.now() })
    }
    case 'import': {
      const { importMain } = await import('./import.ts')
      return importMain({ argv: rest, env: process.env, write: writers(), stdin: process.stdin, stop })
    }
    case '--version':
      process.stdout.write(`${version()}\n`)
      return 0
    case '--help':
      process.stdout.write(await usage())
      return 0
    case undefined:
      process.stderr.write(await usage())
      return 2
  }
  const { commandNames } = await import('../cli/index.ts')
  if (!commandNames.includes(command)) {
    const known = [...ownCommands.map(([call]) => call.split(' ')[0] ?? ''), ...commandNames]
    process.stderr.write(`taskmill: unknown command "${command}"${suggestName(command, known)}\n\n${await usage()}`)
    return 2
  }
  const { clusterCommand } = await import('./cluster-command.ts')
  return clusterCommand({
    name: command,
    argv: rest,
    env: process.env,
    invokedAs: process.argv[1] ?? '',
    version: version(),
    write: writers(),
    stdin: process.stdin,
    stop,
  })
}

function writers() {
  return { out: (text: string) => void process.stdout.write(text), err: (text: string) => void process.stderr.write(text) }
}

/** Reads package.json, which is two levels up both in the sources and in the package. */
function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { readonly version: string }
  return manifest.version
}

const stopping = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => stopping.abort(new Error(`received ${signal}`)))
}
const outputs = [process.stdout, process.stderr]
for (const output of outputs) {
  output.on('error', (error: NodeJS.ErrnoException) => {
    // The reader has had enough: `taskmill lint | head`.
    if (error.code !== 'EPIPE') throw error
  })
}

/** Resolves when everything that was printed has reached its reader, or never will. A pipe takes it bit by bit. */
function printed(output: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => void output.write('', () => resolve()))
}

let exitCode = 1
try {
  exitCode = await main(process.argv.slice(2), stopping.signal)
} catch (error) {
  process.stderr.write(`taskmill: ${errorMessage(error)}\n`)
}
// Exits instead of waiting for the event loop: a handler that hangs must not keep a drained worker alive.
await Promise.all(outputs.map(printed))
process.exit(exitCode)
