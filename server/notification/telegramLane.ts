/** Messages of an app's bot wait in a lane of their own: the number of the app, below zero (db/schema/delivery.ts). */
export const telegramLane = (appId: number): number => -appId
