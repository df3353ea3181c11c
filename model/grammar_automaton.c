#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "model/grammar_priv.h"

// ---- the forms -------------------------------------------------------------

// A byte below 8 is the hole of that number.
#define LINE     "\x01"
#define TEXT     "\x02"
#define KEYS     "\x03"
#define AT       "[\x04,\x04]"
#define AMOUNT   "\x05"
#define DURATION "\x06"

#define HEAD                          \
    "Action: " LINE "\n<tool_call>\n" \
    "{\"name\":\"computer\",\"arguments\":{\"action\":\""
#define TAIL       "}}\n</tool_call>"
#define COORDINATE "\",\"coordinate\":" AT
#define HELD(mods) ",\"text\":\"" mods "\""

// A click may hold modifiers, and nothing but modifiers.
#define CLICK(name)                                                        \
    name COORDINATE, name COORDINATE HELD("ctrl"),                         \
        name COORDINATE HELD("shift"), name COORDINATE HELD("alt"),        \
        name COORDINATE HELD("super"), name COORDINATE HELD("ctrl+shift"), \
        name COORDINATE HELD("ctrl+alt")

static const char *const action_forms[] = {
    CLICK("left_click"),
    CLICK("right_click"),
    CLICK("middle_click"),
    CLICK("double_click"),
    CLICK("triple_click"),
    "mouse_move" COORDINATE,
    "left_mouse_down" COORDINATE,
    "left_mouse_up" COORDINATE,
    "left_click_drag" COORDINATE,
    "left_click_drag\",\"start_coordinate\":" AT ",\"coordinate\":" AT,
    "scroll" COORDINATE
    ",\"scroll_direction\":\"up\",\"scroll_amount\":" AMOUNT,
    "scroll" COORDINATE
    ",\"scroll_direction\":\"down\",\"scroll_amount\":" AMOUNT,
    "scroll" COORDINATE
    ",\"scroll_direction\":\"left\",\"scroll_amount\":" AMOUNT,
    "scroll" COORDINATE
    ",\"scroll_direction\":\"right\",\"scroll_amount\":" AMOUNT,
    "type\",\"text\":\"" TEXT "\"",
    "key\",\"text\":\"" KEYS "\"",
    "hold_key\",\"text\":\"" KEYS "\",\"duration\":" DURATION,
    ("wait\",\"duration\":" DURATION),
    "screenshot\"",
    "done\"",
};

static const char *const locate_forms[] = { "left_click" COORDINATE };

static uint16_t child_of(const struct dh_automaton *a, uint16_t node,
                         unsigned char byte)
{
    uint16_t c = a->node[node].child;
    while (c && a->node[c].byte != byte)
        c = a->node[c].next;
    return c;
}

static uint16_t put_child(struct dh_automaton *a, uint16_t node,
                          unsigned char byte)
{
    uint16_t c = child_of(a, node, byte);
    if (c)
        return c;
    dh_assert(a->n < DH_COUNTOF(a->node));
    c = (uint16_t)a->n++;
    a->node[c] =
        (struct dh_automaton_node){ .byte = byte, .next = a->node[node].child };
    a->node[node].child = c;
    return c;
}

// From `node` on; returns the node that it ends at.
static uint16_t put_form(struct dh_automaton *a, uint16_t node,
                         const char *form)
{
    for (; *form; form++) {
        unsigned char b = (unsigned char)*form;
        if (b >= 8) {
            node = put_child(a, node, b);
            continue;
        }
        // One hole a node, and all forms that come by have the same.
        dh_assert(a->node[node].hole == b || !a->node[node].child);
        a->node[node].hole = b;
    }
    return node;
}

void dh_automaton_build(struct dh_automaton *a, enum dh_grammar_kind kind)
{
    const char *const *forms = action_forms;
    size_t n = DH_COUNTOF(action_forms);
    if (kind == DH_GRAMMAR_LOCATE) {
        forms = locate_forms;
        n = DH_COUNTOF(locate_forms);
    }
    a->n = 1;
    uint16_t head = put_form(a, 0, HEAD);
    for (size_t i = 0; i < n; i++)
        put_form(a, put_form(a, head, forms[i]), TAIL);
}

// ---- holes -----------------------------------------------------------------

enum taken {
    TAKEN,
    LEFT, // the hole is full and the byte is for what comes after
    WRONG,
};

// Places inside a character: how many continuation bytes are missing, and
// where the first of them has a narrower range.
enum {
    GROUND,
    MORE_1,
    MORE_2,
    MORE_3,
    AFTER_C2, // no C1 control characters
    AFTER_E0,
    AFTER_ED,
    AFTER_F0,
    AFTER_F4,
    // Inside an escape of JSON.
    ESCAPE,
    HEX_4, // four digits are missing, and so on
    HEX_3,
    HEX_2,
    HEX_1,
    HEX_AFTER_0, // of \u0...
    HEX_AFTER_00,
    HEX_AFTER_D, // of \ud..., which may be half of a pair
    HIGH_2,
    HIGH_1,
    LOW_ESCAPE,
    LOW_U,
    LOW_D,
    LOW_SECOND,
};

static bool is_in(unsigned char b, unsigned lo, unsigned hi)
{
    return b >= lo && b <= hi;
}

static bool is_lead(unsigned char b, uint8_t *sub)
{
    *sub = GROUND;
    if (b < 0x80)
        return b >= 0x20 && b != 0x7f;
    if (b < 0xe0)
        *sub = b == 0xc2 ? AFTER_C2 : MORE_1;
    else if (b < 0xf0)
        *sub = b == 0xe0 ? AFTER_E0 : b == 0xed ? AFTER_ED : MORE_2;
    else
        *sub = b == 0xf0 ? AFTER_F0 : b == 0xf4 ? AFTER_F4 : MORE_3;
    return is_in(b, 0xc2, 0xf4);
}

static bool step_continuation(uint8_t *sub, unsigned char b)
{
    static const struct {
        unsigned char lo, hi, then;
    } rules[] = {
        [MORE_1] = { 0x80, 0xbf, GROUND },
        [MORE_2] = { 0x80, 0xbf, MORE_1 },
        [MORE_3] = { 0x80, 0xbf, MORE_2 },
        [AFTER_C2] = { 0xa0, 0xbf, GROUND },
        [AFTER_E0] = { 0xa0, 0xbf, MORE_1 },
        [AFTER_ED] = { 0x80, 0x9f, MORE_1 },
        [AFTER_F0] = { 0x90, 0xbf, MORE_2 },
        [AFTER_F4] = { 0x80, 0x8f, MORE_2 },
    };
    if (!is_in(b, rules[*sub].lo, rules[*sub].hi))
        return false;
    *sub = rules[*sub].then;
    return true;
}

static int hex_of(unsigned char b)
{
    if (is_in(b, '0', '9'))
        return b - '0';
    unsigned lower = b | 0x20u;
    return lower >= 'a' && lower <= 'f' ? (int)(lower - 'a' + 10) : -1;
}

// Control characters have their short escapes or none; surrogates come in
// pairs.
static bool step_hex(uint8_t *sub, int digit)
{
    if (digit < 0)
        return false;
    switch (*sub) {
    case HEX_4:
        *sub = digit == 0 ? HEX_AFTER_0 : digit == 13 ? HEX_AFTER_D : HEX_3;
        return true;
    case HEX_AFTER_0: *sub = digit == 0 ? HEX_AFTER_00 : HEX_2; return true;
    case HEX_AFTER_00: *sub = HEX_1; return digit >= 2;
    case HEX_AFTER_D: *sub = digit < 8 ? HEX_2 : HIGH_2; return digit < 12;
    case HEX_3: *sub = HEX_2; return true;
    case HEX_2: *sub = HEX_1; return true;
    case HEX_1: *sub = GROUND; return true;
    case HIGH_2: *sub = HIGH_1; return true;
    case HIGH_1: *sub = LOW_ESCAPE; return true;
    case LOW_D: *sub = LOW_SECOND; return digit == 13;
    case LOW_SECOND: *sub = HEX_2; return digit >= 12;
    default: return false;
    }
}

static bool step_escape(uint8_t *sub, unsigned char b)
{
    switch (*sub) {
    case ESCAPE:
        *sub = b == 'u' ? HEX_4 : GROUND;
        return b && strchr("\"\\/bfnrtu", b);
    case LOW_ESCAPE: *sub = LOW_U; return b == '\\';
    case LOW_U: *sub = LOW_D; return b == 'u';
    default: return step_hex(sub, hex_of(b));
    }
}

static enum taken step_text(struct dh_automaton_state *s, unsigned char b,
                            bool json)
{
    s->value++;
    if (s->sub != GROUND) {
        bool ok = s->sub < ESCAPE ? step_continuation(&s->sub, b)
                                  : step_escape(&s->sub, b);
        return ok ? TAKEN : WRONG;
    }
    if (b == (json ? '"' : '\n'))
        return s->value > 1 ? LEFT : WRONG;
    if (s->full)
        return WRONG;
    if (json && b == '\\') {
        s->sub = ESCAPE;
        return TAKEN;
    }
    // The line's first space is the form's.
    if (!json && s->value == 1 && b == ' ')
        return WRONG;
    return is_lead(b, &s->sub) ? TAKEN : WRONG;
}

enum { NO_DIGIT, DIGITS, POINT, DECIMAL, DECIMALS };

static enum taken step_number(struct dh_automaton_state *s, unsigned char b,
                              unsigned min, unsigned max, bool fraction)
{
    if (b == '.') {
        bool ok = fraction && s->sub == DIGITS && s->value < max;
        s->sub = POINT;
        return ok ? TAKEN : WRONG;
    }
    if (!is_in(b, '0', '9'))
        return s->sub == NO_DIGIT || s->sub == POINT ? WRONG : LEFT;
    if (s->sub >= POINT)
        return s->sub++ < DECIMALS ? TAKEN : WRONG;
    unsigned value = s->value * 10u + (unsigned)(b - '0');
    bool leading_zero = s->sub == DIGITS && s->value == 0;
    s->sub = DIGITS;
    s->value = (uint16_t)value;
    return value >= min && value <= max && !leading_zero ? TAKEN : WRONG;
}

static enum taken step_hole(struct dh_automaton_state *s, enum dh_hole hole,
                            unsigned char b)
{
    switch (hole) {
    case DH_HOLE_NONE: return LEFT;
    case DH_HOLE_LINE: return step_text(s, b, false);
    case DH_HOLE_TEXT:
    case DH_HOLE_KEYS: return step_text(s, b, true);
    case DH_HOLE_COORD: return step_number(s, b, 0, 1000, false);
    case DH_HOLE_AMOUNT: return step_number(s, b, 1, 50, false);
    case DH_HOLE_DURATION: return step_number(s, b, 0, 60, true);
    }
    return WRONG;
}

bool dh_automaton_step(const struct dh_automaton *a,
                       struct dh_automaton_state *s, unsigned char byte)
{
    switch (step_hole(s, (enum dh_hole)a->node[s->node].hole, byte)) {
    case TAKEN: return true;
    case WRONG: return false;
    case LEFT: break;
    }
    *s = (struct dh_automaton_state){ .node = child_of(a, s->node, byte) };
    return s->node != 0;
}

bool dh_automaton_is_end(const struct dh_automaton *a,
                         const struct dh_automaton_state *s)
{
    const struct dh_automaton_node *n = &a->node[s->node];
    return n->hole == DH_HOLE_NONE && !n->child;
}

bool dh_automaton_is_text(const struct dh_automaton *a,
                          const struct dh_automaton_state *s)
{
    uint8_t hole = a->node[s->node].hole;
    return hole >= DH_HOLE_LINE && hole <= DH_HOLE_KEYS;
}

void dh_automaton_settle(const struct dh_automaton *a,
                         struct dh_automaton_state *s)
{
    static const unsigned max[] = { [DH_HOLE_LINE] = DH_HOLE_LINE_MAX,
                                    [DH_HOLE_TEXT] = DH_HOLE_TEXT_MAX,
                                    [DH_HOLE_KEYS] = DH_HOLE_KEYS_MAX };
    s->full =
        dh_automaton_is_text(a, s) && s->value >= max[a->node[s->node].hole];
}
