import type * as openTelemetry from '@opentelemetry/api'
import type { Span } from '@opentelemetry/api'

/** Where spans go: one per reconciliation and per request to the API server. */
export type Tracer = {
  /** Runs within a span, which ends with what it returns; a rejection is recorded by its code or name only, never by its message. */
  span<T>(name: string, attributes: Readonly<Record<string, string>>, run: () => Promise<T>): Promise<T>
}

/** The only part of OpenTelemetry's API that is used. */
type OpenTelemetry = Pick<typeof openTelemetry, 'trace' | 'SpanStatusCode'>

const noTracer: Tracer = { span: (_name, _attributes, run) => run() }

/** Spans by OpenTelemetry if `@opentelemetry/api` is installed (an SDK that exports them has to be loaded as well); otherwise none. */
export async function loadTracer(
  version: string,
  load: () => Promise<OpenTelemetry> = () => import('@opentelemetry/api'),
): Promise<Tracer> {
  try {
    const api = await load()
    const tracer = api.trace.getTracer('taskmill', version)
    return {
      span: (name, attributes, run) =>
        tracer.startActiveSpan(name, { attributes: { ...attributes } }, (span) => within(span, run, api.SpanStatusCode.ERROR)),
    }
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_MODULE_NOT_FOUND') return noTracer
    throw error
  }
}

async function within<T>(span: Span, run: () => Promise<T>, failed: number): Promise<T> {
  try {
    return await run()
  } catch (error) {
    const { code, name = 'unknown' } = error as { readonly code?: string; readonly name?: string }
    span.setAttribute('error.type', code ?? name)
    span.setStatus({ code: failed })
    throw error
  } finally {
    span.end()
  }
}
