/** The JSON around the action of a scripted response. The text before it is each environment's own. */

/** Between the thought and the action. */
export const ACTION_KEY = '", "action": "';
/** Before the action of a response without a thought. */
export const ACTION_ONLY_KEY = '{"action": "';
/** After the action. */
export const CLOSE = '"}';
