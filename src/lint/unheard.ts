/**
 * What an object says to others that none of them hears: an alert below the minimum of all its channels, a parameter that
 * the graph does not have. Looks only at objects beside it, and only if all that it names are there.
 */
import { kinds, taskAlert, type TaskAlert, type TaskDependency } from '../api/index.ts'
import { suggestName } from '../errors/index.ts'
import { isObject } from './documents.ts'
import { canShareNamespace, isBeside, type Known, type Noticed } from './neighbours.ts'

export function findUnheard(all: readonly Known[]): readonly Noticed[] {
  const sound = all.filter(({ object }) => object !== undefined)
  return sound.flatMap((known) => {
    switch (known.kind.kind) {
      case 'TaskAlert':
        return silentAlert(known, sound)
      case 'TaskSchedule':
      case 'TaskExecution':
        return lostParameters(known, sound)
      default:
        return []
    }
  })
}

function namedBy(known: Known, kind: string, name: unknown, sound: readonly Known[]): readonly Known[] {
  return sound.filter(
    (other) => other.kind.kind === kind && other.name === name && canShareNamespace(known, other) && isBeside(known, other),
  )
}

const channelKind = kinds.find(({ referredBy }) => referredBy?.includes('channelRefs'))?.kind ?? ''
/** In the order of their importance, as the schema of an alert has them. */
const severities = taskAlert.spec.json.properties?.['severity']?.enum ?? []

function silentAlert(known: Known, sound: readonly Known[]): readonly Noticed[] {
  const { severity, channelRefs = [] } = (known.object as TaskAlert).spec
  const channels = channelRefs.map(({ name }) => namedBy(known, channelKind, name, sound))
  if (channels.length === 0 || channels.some((found) => found.length === 0)) return []
  const minimums = channels.flat().map(({ spec }) => String(spec['minimumSeverity']))
  if (minimums.some((minimum) => severities.indexOf(severity) >= severities.indexOf(minimum))) return []
  const message = `no channel is notified: ${severity} is below the minimumSeverity of all its channels (${[...new Set(minimums)].join(', ')}). Next: raise severity, or lower minimumSeverity`
  return [{ known, severity: 'warning', field: 'spec.severity', message }]
}

/** A graph has the parameters that it declares, and those that its expressions name. */
function lostParameters(known: Known, sound: readonly Known[]): readonly Noticed[] {
  const { dependencyRef, parameters } = known.spec
  if (!isObject(dependencyRef) || !isObject(parameters)) return []
  const graphs = namedBy(known, 'TaskDependency', dependencyRef['name'], sound).map(({ object }) => (object as TaskDependency).spec)
  if (graphs.length === 0) return []
  const declared = [...new Set(graphs.flatMap((graph) => Object.keys(graph.parameters ?? {})))]
  const texts = JSON.stringify(graphs)
  const lost = Object.keys(parameters).filter((name) => !declared.includes(name) && !isNamedIn(texts, name))
  return lost.map((name): Noticed => ({
    known,
    severity: 'warning',
    field: `spec.parameters.${name}`,
    message: `TaskDependency ${JSON.stringify(dependencyRef['name'])} has no parameter ${name}${suggestName(name, declared)}; nothing reads it`,
  }))
}

/** `parameters.name`, `parameters["name"]`, or all of them by a computed name. */
function isNamedIn(texts: string, name: string): boolean {
  return (
    texts.includes(`parameters.${name}`) ||
    texts.includes(`parameters.?${name}`) ||
    /\bparameters\s*(?:\[|[^.\w])/u.test(texts.replaceAll('"parameters":', ''))
  )
}
