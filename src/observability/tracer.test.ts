import { SpanStatusCode, trace, type Span, type Tracer as OpenTelemetryTracer } from '@opentelemetry/api'
import { afterEach, expect, test } from 'vitest'
import { loadTracer } from './index.ts'

type Recorded = { name: string; attributes: Record<string, unknown>; status?: number; ended: boolean }

/** What an SDK would register, in memory. */
function recordSpans(): Recorded[] {
  const spans: Recorded[] = []
  const tracer = {
    startActiveSpan(name: string, { attributes }: { attributes: Record<string, unknown> }, run: (span: Span) => unknown) {
      const recorded: Recorded = { name, attributes, ended: false }
      spans.push(recorded)
      return run({
        setAttribute: (key: string, value: unknown) => (attributes[key] = value),
        setStatus: ({ code }: { code: number }) => (recorded.status = code),
        end: () => (recorded.ended = true),
      } as unknown as Span)
    },
  } as unknown as OpenTelemetryTracer
  trace.setGlobalTracerProvider({ getTracer: () => tracer })
  return spans
}

afterEach(() => trace.disable())

test('a span covers what runs in it, and says how it ended, without the message', async () => {
  const spans = recordSpans()
  const tracer = await loadTracer('1.0.0')
  expect(await tracer.span('reconcile', { key: 'a/b' }, async () => 7)).toBe(7)
  const error = Object.assign(new Error('a secret'), { code: 'TM_X' })
  await expect(tracer.span('request', {}, () => Promise.reject(error))).rejects.toBe(error)
  expect(spans).toEqual([
    { name: 'reconcile', attributes: { key: 'a/b' }, ended: true },
    { name: 'request', attributes: { 'error.type': 'TM_X' }, status: SpanStatusCode.ERROR, ended: true },
  ])
})

test('without OpenTelemetry everything runs untraced', async () => {
  const tracer = await loadTracer('1.0.0', () => Promise.reject(Object.assign(new Error('no'), { code: 'ERR_MODULE_NOT_FOUND' })))
  expect(await tracer.span('reconcile', {}, async () => 7)).toBe(7)
})

test('an installed OpenTelemetry that cannot be loaded is an error', async () => {
  await expect(loadTracer('1.0.0', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
})
