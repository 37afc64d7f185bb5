/**
 * Time as a value. Nothing below `main/` reads the system's time or sets a timer by itself: it is handed a `Clock`,
 * so that tests drive hours in microseconds and no test ever sleeps.
 *
 * Guarantees: a delay beyond what Node can hold (2^31-1 ms, about 24.8 days) is clamped instead of firing at once;
 * `sleep` and a disposed `deadline` leave no timer and no listener behind, however they end.
 * Does not: promise accuracy. Who waits for a moment looks at the time again when the timer fires.
 */
export { maxDelayMs, systemClock, type Clock, type TimerHandle } from './clock.ts'
export { deadline, sleep, type Deadline } from './waiting.ts'
export { fakeClock, type FakeClock } from './fake-clock.ts'
