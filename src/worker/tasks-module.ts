import { taskmillError } from '../errors/index.ts'
import type { Tasks } from './tasks.ts'

/** Takes the handlers out of a loaded module; says what is wrong with it otherwise. */
export function parseTasksModule(module: Readonly<Record<string, unknown>>, path: string): Tasks {
  const invalid = (what: string) =>
    taskmillError('TM_TASKS_INVALID', `${path} ${what}; write: export const tasks = { 'my-task': async (payload, context) => { ... } }`, {
      details: { path },
    })
  const { tasks } = module
  if (tasks === undefined) {
    const hint = module['default'] === undefined ? '' : ' (a default export is not read)'
    throw invalid(`has no export named "tasks"${hint}`)
  }
  if (typeof tasks !== 'object' || tasks === null || Array.isArray(tasks))
    throw invalid('exports "tasks", which is not an object of handlers')
  const handlers = Object.entries(tasks)
  if (handlers.length === 0) throw invalid('exports "tasks" without any handler')
  const wrong = handlers.find(([, handler]) => typeof handler !== 'function')
  if (wrong !== undefined) throw invalid(`exports "tasks", where ${JSON.stringify(wrong[0])} is not a function`)
  return tasks as Tasks
}
