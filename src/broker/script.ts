import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'

/** A Lua script. Its file lies beside the module that uses it, in the sources as in the build. */
export type Script = { readonly source: string; readonly sha: string }

export type ScriptCall = { readonly keys: readonly string[]; readonly args: readonly (string | number)[] }

/** Returns a function that loads `<name>.lua` from the folder of a module, with the functions of other files put in front of it. */
export function scriptsBeside(moduleUrl: string): (name: string, ...parts: readonly string[]) => Script {
  return (name, ...parts) => {
    const source = [...parts, name].map((part) => readFileSync(new URL(`./${part}.lua`, moduleUrl), 'utf8')).join('\n')
    return { source, sha: createHash('sha1').update(source).digest('hex') }
  }
}

/**
 * Calls the script once for each element, all in one round trip, and returns the replies in that order. A server that does not know the
 * script (it was restarted, or flushed) is sent the source in a second round trip. Rejects with the first error.
 */
export async function callScript(redis: Redis, script: Script, calls: readonly ScriptCall[]): Promise<unknown[]> {
  const send = (call: ScriptCall, isKnown: boolean): Promise<unknown> =>
    isKnown
      ? redis.evalsha(script.sha, call.keys.length, ...call.keys, ...call.args)
      : redis.eval(script.source, call.keys.length, ...call.keys, ...call.args)
  return await Promise.all(
    calls.map(async (call) => {
      try {
        return await send(call, true)
      } catch (error) {
        if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
        return await send(call, false)
      }
    }),
  )
}

/**
 * Splits a list into parts of at most `size`, for one call each: a script holds up every other client of the server while it runs. An
 * empty list has no part.
 */
export function inParts<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, part) => all.slice(part * size, (part + 1) * size))
}
