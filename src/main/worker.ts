/**
 * `taskmill worker --tasks ./tasks.js`: composes the worker. Environment, argv, signals and the loading of the user's module enter here.
 */
import { randomUUID } from 'node:crypto'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { createConsumer } from '../broker/index.ts'
import { systemClock as clock } from '../clock/index.ts'
import { workerEnv } from '../contract/index.ts'
import { errorMessage, hasCode, taskmillError } from '../errors/index.ts'
import { createLogger, createWorkerMetrics } from '../observability/index.ts'
import { createWorker, openBrokerAccess, parseTasksModule, parseWorkerConfig, type Tasks, type Worker } from '../worker/index.ts'
import { serveProbes, type Probes } from './probes.ts'

export type WorkerMain = {
  /** Arguments after the subcommand. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** Begins the drain: the first SIGTERM or SIGINT. */
  readonly stop: AbortSignal
  /** Directory that a relative path starts from; default: the current one. */
  readonly cwd?: string
}

/**
 * Runs until `stop` aborts, then drains; a second signal ends the drain time at once. Resolves with the exit code: 0 after a drain, 2 when
 * it was started wrongly. The caller then has to end the process (`process.exit`): a handler that never ends would keep it alive.
 */
export async function workerMain({ argv, env, stop, cwd = process.cwd() }: WorkerMain): Promise<number> {
  const log = createLogger({ level: 'info' })
  const hurry = new AbortController()
  let signals = 0
  const onSignal = () => {
    if (++signals > 1) hurry.abort()
  }
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
  try {
    const config = parseWorkerConfig(env)
    const access = openBrokerAccess(config, log)
    const tasks = await loadTasks(argv, cwd)
    const worker = createWorker({
      config,
      access,
      tasks,
      signal: stop,
      hurry: hurry.signal,
      log,
      clock,
      instance: randomUUID(),
      createConsumer,
      createMetrics: createWorkerMetrics,
    })
    const probes = config.httpPort === 0 ? undefined : await serve(config.httpPort, worker)
    await worker.run()
    await probes?.close()
    return 0
  } catch (error) {
    if (!hasCode(error, 'TM_CONFIG_INVALID', 'TM_TASKS_INVALID')) throw error
    log.error({ code: error.code, error: errorMessage(error) }, 'the worker cannot start')
    return 2
  } finally {
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal)
  }
}

async function serve(port: number, { metrics, unready, problems }: Worker): Promise<Probes> {
  try {
    return await serveProbes({ port, metrics, unready, problems })
  } catch (error) {
    throw taskmillError('TM_CONFIG_INVALID', `${workerEnv.httpPort} is ${port}, and nothing can be served there`, { cause: error })
  }
}

async function loadTasks(argv: readonly string[], cwd: string): Promise<Tasks> {
  const path = tasksPath(argv)
  const file = resolve(cwd, path)
  try {
    return parseTasksModule((await import(pathToFileURL(file).href)) as Record<string, unknown>, path)
  } catch (error) {
    if (hasCode(error, 'TM_TASKS_INVALID')) throw error
    throw taskmillError('TM_TASKS_INVALID', `the tasks module ${file} cannot be loaded`, { cause: error, details: { path: file } })
  }
}

function tasksPath(argv: readonly string[]): string {
  try {
    const { values } = parseArgs({ args: [...argv], options: { tasks: { type: 'string' } } })
    if (values.tasks !== undefined && values.tasks !== '') return values.tasks
  } catch (error) {
    throw taskmillError('TM_CONFIG_INVALID', errorMessage(error), { cause: error })
  }
  throw taskmillError('TM_CONFIG_INVALID', 'the module with the task handlers is missing: write --tasks ./tasks.js')
}
