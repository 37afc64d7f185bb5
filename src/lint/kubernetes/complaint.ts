import { isObject } from '../documents.ts'
import type { Severity } from '../report.ts'

/** Something wrong at a path, which is as the API server writes it. A warning is one of the API server, too. */
export type Complaint = { readonly path: string; readonly message: string; readonly severity: Severity }

/**
 * How the operator hands the template to the API server: a pool's with server-side apply, which refuses two entries of a
 * list with the same key; a Job's by creation, which only warns about them.
 */
export type Handover = 'apply' | 'create'

type Json = Readonly<Record<string, unknown>>

/** What must hold between the fields of an object of one definition. Values may have any type. */
export type Relation = (value: Json, path: string, handover: Handover) => readonly Complaint[]

/** `message`: undefined if nothing is wrong. */
export function errorAt(path: string, message: string | undefined): readonly Complaint[] {
  return message === undefined ? [] : [{ path, message, severity: 'error' }]
}

export function warningAt(path: string, message: string): Complaint {
  return { path, message, severity: 'warning' }
}

/** The objects in a list, with their paths. */
export function objectsAt(list: unknown, path: string): readonly { readonly value: Json; readonly path: string }[] {
  if (!Array.isArray(list)) return []
  return list.flatMap((value: unknown, index) => (isObject(value) ? [{ value, path: `${path}[${index}]` }] : []))
}

/** Go takes null for a field that is left out. */
export function isMissing(value: unknown): boolean {
  return value === undefined || value === null
}

export function partOf(value: Json, field: string): Json {
  const part = value[field]
  return isObject(part) ? part : {}
}
