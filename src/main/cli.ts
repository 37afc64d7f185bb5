#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { didYouMean, errorMessage } from '../errors/index.ts'

const usage = `taskmill <command>

  operator                   run the operator (in the cluster; the chart does this)
  worker --tasks FILE        run the tasks of a JavaScript module as a worker of a WorkerPool
  lint [FILE | FOLDER | -]…  judge manifests without a cluster
  run tsch/NAME | tdep/NAME  run what a schedule runs, or a graph, once and now
  cancel tex/NAME            end a run
  scale wp/NAME N --for 1h   give a WorkerPool so many replicas for a while
  suspend, resume KIND/NAME  stop a pool, a schedule or a queue for a while, and go on
  ack, silence tal/NAME      say who is at an alert, or keep it quiet, for a while; unack ends it
  --version                  print the version

From lint on, a command explains itself with --help.
`

const commands = ['operator', 'worker', 'lint', 'run', 'cancel', 'scale', 'suspend', 'resume', 'ack', 'silence', 'unack']

/** The exit code of a command: 0 done, 1 failed, 2 called wrongly. A command loads only what it needs. */
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
      return lintMain({ argv: rest, write: writers(), isColoured: stdout.isTTY && (env['NO_COLOR'] ?? '') === '' })
    }
    case 'run':
    case 'cancel':
    case 'scale':
    case 'suspend':
    case 'resume':
    case 'ack':
    case 'silence':
    case 'unack': {
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
    case '--version':
      process.stdout.write(`${version()}\n`)
      return 0
    case '--help':
      process.stdout.write(usage)
      return 0
    default:
      process.stderr.write(
        command === undefined ? usage : `taskmill: unknown command "${command}"${didYouMean(command, commands)}\n\n${usage}`,
      )
      return 2
  }
}

function writers() {
  return { out: (text: string) => void process.stdout.write(text), err: (text: string) => void process.stderr.write(text) }
}

/** From the manifest two levels up, both in the sources and in the package. */
function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { readonly version: string }
  return manifest.version
}

const stopping = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => stopping.abort(new Error(`received ${signal}`)))
}
// The end is said, not waited for: a handler that hangs must not keep a drained worker alive.
try {
  process.exit(await main(process.argv.slice(2), stopping.signal))
} catch (error) {
  process.stderr.write(`taskmill: ${errorMessage(error)}\n`)
  process.exit(1)
}
