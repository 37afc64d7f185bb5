/** What an object says of others, found by the names that fields have in every kind: read from the schema, so that no kind is forgotten. */
import type { JsonSchema, Kind } from '../api/index.ts'
import { isObject } from './documents.ts'

const kindOfReference: Readonly<Record<string, string>> = {
  brokerRef: 'TaskBroker',
  scheduleRef: 'TaskSchedule',
  dependencyRef: 'TaskDependency',
  channelRefs: 'AlertChannel',
}

/** `field` is where the name stands, or would stand. */
export type Use = { readonly kind: string; readonly name: string; readonly field: string }

/** The objects that one refers to, and, as kind `Queue`, the queues that its tasks go to. */
export function usesOf({ spec }: Kind, value: unknown): readonly Use[] {
  return usesIn(spec.json, value, 'spec')
}

function usesIn(schema: JsonSchema, value: unknown, path: string): readonly Use[] {
  if (Array.isArray(value)) {
    const { items } = schema
    return items === undefined ? [] : value.flatMap((item, index) => usesIn(items, item, `${path}[${index}]`))
  }
  if (!isObject(value)) return []
  return Object.entries(schema.properties ?? {}).flatMap(([field, child]) => {
    const own = value[field]
    return [...useBy(field, own, `${path}.${field}`), ...usesIn(child, own, `${path}.${field}`)]
  })
}

function useBy(field: string, own: unknown, path: string): readonly Use[] {
  if (field === 'queue' && typeof own === 'string') return [{ kind: 'Queue', name: own, field: path }]
  const kind = kindOfReference[field]
  if (kind !== undefined) {
    const named = Array.isArray(own) ? own.map((each: unknown, index) => ({ each, at: `${path}[${index}]` })) : [{ each: own, at: path }]
    return named.flatMap(({ each, at }) => nameIn(each).map((name) => ({ kind, name, field: `${at}.name` })))
  }
  if (field === 'target' && isObject(own) && typeof own['kind'] === 'string') {
    const target = own['kind']
    return nameIn(own).map((name) => ({ kind: target, name, field: `${path}.name` }))
  }
  return []
}

function nameIn(value: unknown): readonly string[] {
  return isObject(value) && typeof value['name'] === 'string' ? [value['name']] : []
}
